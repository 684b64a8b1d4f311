(** * S15: the clipped policy losses (PPO, GRPO) and the dual clip.

    rho = exp(logprob - old logprob), A an advantage.  [clip_policy_loss] and [dual_clip_loss] are the
    per-token losses of losses/policy.py; derivatives are in rho, and in logprob at rho = 1. *)
From Coq Require Import Reals List Lra.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.

Section Clip.
  Variables clip_low clip_high : R.
  Hypothesis Hlow : 0 <= clip_low.
  Hypothesis Hhigh : 0 <= clip_high.

  Definition clip (rho : R) : R := Rmax (1 - clip_low) (Rmin rho (1 + clip_high)).
  Definition clip_policy_loss (A rho : R) : R := - Rmin (rho * A) (clip rho * A).
  Definition dual_clip_loss (c A rho : R) : R :=
    if Rlt_dec A 0 then - Rmax (Rmin (rho * A) (clip rho * A)) (c * A) else clip_policy_loss A rho.

  Lemma clip_above rho : 1 + clip_high <= rho -> clip rho = 1 + clip_high.
  Proof. intros H. unfold clip. rewrite Rmin_right, Rmax_right; lra. Qed.
  Lemma clip_below rho : rho <= 1 - clip_low -> clip rho = 1 - clip_low.
  Proof. intros H. unfold clip. rewrite Rmin_left, Rmax_left; lra. Qed.
  Lemma clip_inside rho : 1 - clip_low <= rho <= 1 + clip_high -> clip rho = rho.
  Proof. intros H. unfold clip. rewrite Rmin_left, Rmax_right; lra. Qed.

  (** ** Values *)
  Lemma loss_inside A rho : 1 - clip_low <= rho <= 1 + clip_high -> clip_policy_loss A rho = - (rho * A).
  Proof. intros H. unfold clip_policy_loss. rewrite clip_inside, Rmin_left; lra. Qed.

  Lemma loss_above_pos A rho : 0 <= A -> 1 + clip_high <= rho ->
    clip_policy_loss A rho = - ((1 + clip_high) * A).
  Proof.
    intros HA H. unfold clip_policy_loss. rewrite clip_above, Rmin_right; try lra.
    apply Rmult_le_compat_r; lra.
  Qed.
  Lemma loss_above_neg A rho : A <= 0 -> 1 + clip_high <= rho -> clip_policy_loss A rho = - (rho * A).
  Proof.
    intros HA H. unfold clip_policy_loss. rewrite clip_above, Rmin_left; try lra.
    rewrite !(Rmult_comm _ A). apply Rmult_le_compat_neg_l; lra.
  Qed.
  Lemma loss_below_neg A rho : A <= 0 -> rho <= 1 - clip_low ->
    clip_policy_loss A rho = - ((1 - clip_low) * A).
  Proof.
    intros HA H. unfold clip_policy_loss. rewrite clip_below, Rmin_right; try lra.
    rewrite !(Rmult_comm _ A). apply Rmult_le_compat_neg_l; lra.
  Qed.
  Lemma loss_below_pos A rho : 0 <= A -> rho <= 1 - clip_low -> clip_policy_loss A rho = - (rho * A).
  Proof.
    intros HA H. unfold clip_policy_loss. rewrite clip_below, Rmin_left; try lra.
    apply Rmult_le_compat_r; lra.
  Qed.

  (** The clipped loss is never below the unclipped one: clipping is pessimistic. *)
  Theorem S15_pessimistic A rho : - (rho * A) <= clip_policy_loss A rho.
  Proof. unfold clip_policy_loss. pose proof (Rmin_l (rho * A) (clip rho * A)). lra. Qed.

  Theorem S15_zero_advantage rho : clip_policy_loss 0 rho = 0.
  Proof. unfold clip_policy_loss. rewrite !Rmult_0_r, Rmin_left; lra. Qed.

  (** ** Derivatives in rho *)
  Lemma derive_where (f g : R -> R) (x d lo hi : R) :
    lo < x < hi -> (forall y, lo < y < hi -> g y = f y) -> is_derive g x d -> is_derive f x d.
  Proof.
    intros Hx H Hg. apply is_derive_ext_loc with g; [|exact Hg].
    assert (E : 0 < Rmin (x - lo) (hi - x)) by (apply Rmin_pos; lra).
    exists (mkposreal _ E). intros y Hy. apply H.
    change (Rabs (y - x) < Rmin (x - lo) (hi - x)) in Hy. apply Rabs_lt_between in Hy.
    pose proof (Rmin_l (x - lo) (hi - x)). pose proof (Rmin_r (x - lo) (hi - x)). lra.
  Qed.

  Lemma linear_derive A x : is_derive (fun y => - (y * A)) x (- A).
  Proof. auto_derive; [exact I|ring]. Qed.

  (** Outside the range, on the side the advantage pushes to, the gradient is zero. *)
  Theorem S15_zero_gradient_above A rho :
    0 <= A -> 1 + clip_high < rho -> is_derive (clip_policy_loss A) rho 0.
  Proof.
    intros HA H. apply (derive_where _ (fun _ => - ((1 + clip_high) * A)) rho 0 (1 + clip_high) (rho + 1)).
    - lra.
    - intros y Hy. symmetry. apply loss_above_pos; lra.
    - apply @is_derive_const.
  Qed.

  Theorem S15_zero_gradient_below A rho :
    A <= 0 -> rho < 1 - clip_low -> is_derive (clip_policy_loss A) rho 0.
  Proof.
    intros HA H. apply (derive_where _ (fun _ => - ((1 - clip_low) * A)) rho 0 (rho - 1) (1 - clip_low)).
    - lra.
    - intros y Hy. symmetry. apply loss_below_neg; lra.
    - apply @is_derive_const.
  Qed.

  (** Inside the range, and outside it on the other side, the gradient is that of - rho A. *)
  Theorem S15_gradient_inside A rho :
    1 - clip_low < rho < 1 + clip_high -> is_derive (clip_policy_loss A) rho (- A).
  Proof.
    intros H. apply (derive_where _ (fun y => - (y * A)) rho _ (1 - clip_low) (1 + clip_high) H).
    - intros y Hy. symmetry. apply loss_inside; lra.
    - apply linear_derive.
  Qed.

  Theorem S15_gradient_recovers A rho :
    (0 <= A /\ rho < 1 - clip_low) \/ (A <= 0 /\ 1 + clip_high < rho) ->
    is_derive (clip_policy_loss A) rho (- A).
  Proof.
    intros [[HA H]|[HA H]].
    - apply (derive_where _ (fun y => - (y * A)) rho _ (rho - 1) (1 - clip_low)); [lra| |apply linear_derive].
      intros y Hy. symmetry. apply loss_below_pos; lra.
    - apply (derive_where _ (fun y => - (y * A)) rho _ (1 + clip_high) (rho + 1)); [lra| |apply linear_derive].
      intros y Hy. symmetry. apply loss_above_neg; lra.
  Qed.

  (** At ratio 1: the loss is - A and its gradient in the log-probability is REINFORCE's. *)
  Theorem S15_ratio_one A logp :
    0 < clip_low -> 0 < clip_high ->
    clip_policy_loss A (exp (logp - logp)) = - A /\
    is_derive (fun x => clip_policy_loss A (exp (x - logp))) logp (- A).
  Proof.
    intros Hl Hh. replace (exp (logp - logp)) with 1 by (rewrite Rminus_diag_eq, exp_0; reflexivity).
    split; [rewrite loss_inside; lra|].
    replace (- A) with (scal (1 : R) (- A)) by (unfold scal; simpl; unfold mult; simpl; ring).
    apply is_derive_comp with (f := clip_policy_loss A) (g := fun x => exp (x - logp)).
    - replace (exp (logp - logp)) with 1 by (rewrite Rminus_diag_eq, exp_0; reflexivity).
      apply S15_gradient_inside; lra.
    - auto_derive; [exact I|]. rewrite Rplus_opp_r, exp_0. ring.
  Qed.

  (** ** Dual clip: a lower bound c A on the objective of a negative advantage. *)
  Theorem S15_dual_clip_bound c A rho : A < 0 -> dual_clip_loss c A rho <= - (c * A).
  Proof.
    intros HA. unfold dual_clip_loss. destruct (Rlt_dec A 0) as [_|N]; [|lra].
    pose proof (Rmax_r (Rmin (rho * A) (clip rho * A)) (c * A)). lra.
  Qed.

  Theorem S15_dual_clip_zero_gradient c A rho :
    A < 0 -> 1 + clip_high <= c -> c < rho -> is_derive (dual_clip_loss c A) rho 0.
  Proof.
    intros HA Hc H. apply (derive_where _ (fun _ => - (c * A)) rho 0 c (rho + 1)).
    - lra.
    - intros y Hy. unfold dual_clip_loss. destruct (Rlt_dec A 0) as [_|N]; [|lra].
      rewrite Rmax_right; [reflexivity|].
      eapply Rle_trans; [apply Rmin_l|]. rewrite !(Rmult_comm _ A). apply Rmult_le_compat_neg_l; lra.
    - apply @is_derive_const.
  Qed.

  (** Below c the dual clip changes nothing. *)
  Theorem S15_dual_clip_inactive c A rho :
    1 + clip_high <= c -> rho <= c -> dual_clip_loss c A rho = clip_policy_loss A rho.
  Proof.
    intros Hc H. unfold dual_clip_loss, clip_policy_loss. destruct (Rlt_dec A 0) as [HA|N]; [|reflexivity].
    rewrite Rmax_left; [reflexivity|]. rewrite !(Rmult_comm _ A).
    assert (clip rho <= c).
    { unfold clip. apply Rmax_lub; [lra|]. eapply Rle_trans; [apply Rmin_r|lra]. }
    apply Rmin_glb; apply Rmult_le_compat_neg_l; lra.
  Qed.
End Clip.
