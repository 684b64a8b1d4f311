(** * S14: what each distillation loss has as its optimum.

    The token loss ([divergence="jsd"]) is a weighted sum over the pool of JSD(teacher || student) at
    every prefix of every survivor.  Its minimisers are the policies that equal the UNFILTERED teacher
    on the visited prefixes, whatever the weights: the filter decides where the student is taught, not
    what.  The negative log-likelihood of survivors ([divergence="nll"]) does have the filtered law. *)
From Coq Require Import Reals List Lra Lia.
From HDPO Require Import FinSum Gibbs JSD Sequence.
Import ListNotations.
Open Scope R_scope.

Section TokenLoss.
  Context {T : Type}.
  Variable V : list T.
  Variable P : list T -> T -> R.        (* the teacher *)
  Hypothesis HP : policy V P.
  Variable W : list T -> R.             (* weight of each completion in the pool *)
  Variable n : nat.
  Hypothesis HW : forall ts, In ts (completions V n) -> 0 <= W ts.

  Fixpoint path_jsd (Q : list T -> T -> R) (pre ts : list T) : R :=
    match ts with
    | [] => 0
    | t :: ts' => JSD V (P pre) (Q pre) + path_jsd Q (pre ++ [t]) ts'
    end.

  Definition token_loss (Q : list T -> T -> R) (pre : list T) : R :=
    sum (completions V n) (fun ts => W ts * path_jsd Q pre ts).

  (** Q equals the teacher at every prefix of every completion that the pool can hold. *)
  Definition agrees (Q : list T -> T -> R) (pre : list T) : Prop :=
    forall ts, In ts (completions V n) -> 0 < W ts ->
    forall a t b, ts = a ++ t :: b -> forall u, In u V -> P (pre ++ a) u = Q (pre ++ a) u.

  Lemma path_jsd_nonneg Q : policy V Q -> forall ts pre, 0 <= path_jsd Q pre ts.
  Proof.
    intros HQ ts. induction ts as [|t ts IH]; intros pre; simpl; [lra|].
    pose proof (S6_nonneg V (P pre) (Q pre) (HP pre) (HQ pre)). specialize (IH (pre ++ [t])). lra.
  Qed.

  Lemma path_jsd_zero_iff Q : policy V Q -> forall ts pre,
    path_jsd Q pre ts = 0 <->
    forall a t b, ts = a ++ t :: b -> forall u, In u V -> P (pre ++ a) u = Q (pre ++ a) u.
  Proof.
    intros HQ ts. induction ts as [|t ts IH]; intros pre.
    - split; [|reflexivity]. intros _ a t b E. destruct a; discriminate.
    - simpl. pose proof (S6_nonneg V (P pre) (Q pre) (HP pre) (HQ pre)) as N.
      pose proof (path_jsd_nonneg Q HQ ts (pre ++ [t])) as N'. split.
      + intros E. assert (E1 : JSD V (P pre) (Q pre) = 0) by lra.
        assert (E2 : path_jsd Q (pre ++ [t]) ts = 0) by lra.
        intros a u b Es. destruct a as [|a0 a]; simpl in Es; injection Es as -> Es.
        * rewrite app_nil_r. now apply (S6_zero_iff V).
        * subst ts. rewrite IH in E2. specialize (E2 a u b eq_refl).
          rewrite <- app_assoc in E2. exact E2.
      + intros H. assert (E1 : JSD V (P pre) (Q pre) = 0).
        { apply S6_zero_iff; auto. intros u Hu. specialize (H [] t ts eq_refl u Hu).
          now rewrite app_nil_r in H. }
        assert (E2 : path_jsd Q (pre ++ [t]) ts = 0).
        { apply IH. intros a u b -> w Hw. rewrite <- app_assoc. apply (H (t :: a) u b); auto. }
        lra.
  Qed.

  Theorem S14_token_loss_nonneg Q pre : policy V Q -> 0 <= token_loss Q pre.
  Proof.
    intros HQ. apply sum_nonneg; intros ts Hts. apply Rmult_le_pos; [auto|now apply path_jsd_nonneg].
  Qed.

  Theorem S14_token_loss_zero_iff Q pre : policy V Q -> (token_loss Q pre = 0 <-> agrees Q pre).
  Proof.
    intros HQ. unfold token_loss, agrees. split.
    - intros E ts Hts Hpos.
      apply (path_jsd_zero_iff Q HQ).
      assert (Z : W ts * path_jsd Q pre ts = 0).
      { apply (sum_nonneg_zero (completions V n) (fun ts => W ts * path_jsd Q pre ts)); auto.
        intros u Hu. apply Rmult_le_pos; [auto|now apply path_jsd_nonneg]. }
      apply Rmult_integral in Z. destruct Z; [lra|assumption].
    - intros H. apply sum_zero; intros ts Hts. specialize (HW ts Hts).
      destruct (Req_dec (W ts) 0) as [->|N]; [ring|].
      rewrite (proj2 (path_jsd_zero_iff Q HQ ts pre)); [ring|]. apply H; [assumption|lra].
  Qed.

  (** The teacher attains zero, whatever the filter kept. *)
  Corollary S14_teacher_attains pre : token_loss P pre = 0.
  Proof. apply S14_token_loss_zero_iff; [assumption|]. intros ts _ _ a t b _ u _. reflexivity. Qed.

  (** The minimisers over all policies are those that equal the teacher where the pool goes. *)
  Theorem S14_token_loss_minimizers Q pre :
    policy V Q ->
    ((forall Q', policy V Q' -> token_loss Q pre <= token_loss Q' pre) <-> agrees Q pre).
  Proof.
    intros HQ. rewrite <- S14_token_loss_zero_iff by assumption. split.
    - intros H. specialize (H P HP). rewrite S14_teacher_attains in H.
      pose proof (S14_token_loss_nonneg Q pre HQ). lra.
    - intros -> Q' HQ'. now apply S14_token_loss_nonneg.
  Qed.
End TokenLoss.

Section FilteredTarget.
  Context {T : Type}.
  Variable V : list T.
  Variable acc : list T -> bool.
  Variable P : list T -> T -> R.
  Hypothesis HP : policy V P.

  Lemma filtered_token_law n pre : 0 < success_to_go V acc P (S n) pre ->
    dist V (filtered_token V acc P (S n) pre).
  Proof.
    intros H. split; [|now apply S10_filtered_token_dist].
    intros t Ht. unfold filtered_token. apply Rmult_le_pos; [|left; now apply Rinv_0_lt_compat].
    apply Rmult_le_pos; [now apply HP|now apply success_to_go_nonneg].
  Qed.

  (** The filtered policy's next-token law is the token loss's target at a prefix only if no token
      there changes the chance of success. *)
  Theorem S14_filtered_is_target_iff n pre :
    0 < success_to_go V acc P (S n) pre ->
    (JSD V (P pre) (filtered_token V acc P (S n) pre) = 0 <->
     forall t, In t V -> 0 < P pre t ->
     success_to_go V acc P n (pre ++ [t]) = success_to_go V acc P (S n) pre).
  Proof.
    intros H. rewrite S6_zero_iff by (auto using filtered_token_law).
    split; intros E t Ht; specialize (E t Ht).
    - intros Hp. unfold filtered_token in E. replace (S n - 1)%nat with n in E by lia.
      set (v := success_to_go V acc P (S n) pre) in *.
      set (v' := success_to_go V acc P n (pre ++ [t])) in *.
      apply (Rmult_eq_compat_r v) in E.
      replace (P pre t * v' / v * v) with (P pre t * v') in E by (field; lra).
      apply (Rmult_eq_reg_l (P pre t)); lra.
    - unfold filtered_token. replace (S n - 1)%nat with n by lia.
      destruct (HP pre) as [H0 _]. specialize (H0 t Ht).
      destruct (Req_dec (P pre t) 0) as [->|N]; [unfold Rdiv; ring|].
      rewrite E by lra. field. lra.
  Qed.
End FilteredTarget.

(** Two tokens, one accepted: teaching by the token loss does not reach the filtered policy. *)
Theorem S14_targets_differ :
  exists (V : list bool) (acc : list bool -> bool) (P : list bool -> bool -> R),
    policy V P /\ 0 < success_to_go V acc P 1 [] /\
    0 < JSD V (P []) (filtered_token V acc P 1 []).
Proof.
  exists [true; false], (fun ts => hd false ts), (fun _ _ => / 2).
  assert (HP : policy [true; false] (fun _ _ => / 2)).
  { intros pre. split; [intros; lra|simpl; lra]. }
  assert (HV : success_to_go [true; false] (fun ts => hd false ts) (fun _ _ => / 2) 1 [] = / 2).
  { unfold success_to_go, reward. simpl. lra. }
  split; [assumption|]. split; [rewrite HV; lra|].
  destruct (S6_nonneg [true; false] (fun _ => / 2)
    (filtered_token [true; false] (fun ts => hd false ts) (fun _ _ => / 2) 1 []) (HP [])
    (filtered_token_law _ _ _ HP 0 [] ltac:(rewrite HV; lra))) as [H|H]; [exact H|exfalso].
  symmetry in H.
  pose proof (proj1 (S14_filtered_is_target_iff _ _ _ HP 0 [] ltac:(rewrite HV; lra)) H) as E.
  specialize (E false ltac:(simpl; auto) ltac:(lra)). rewrite HV in E. clear H. rename E into H.
  unfold success_to_go, reward in H. simpl in H. lra.
Qed.

(** ** Negative log-likelihood of the survivors. *)
Section NLL.
  Context {T : Type}.
  Variable l : list T.
  Variable W : T -> R.                  (* the law of the survivors, mu(. | R = 1) *)
  Hypothesis HW : dist l W.

  Definition nll (Q : T -> R) : R := expect l W (fun t => - ln (Q t)).

  (** NLL is the entropy of the survivors plus KL(survivors || student). *)
  Theorem S14_nll_decomposition Q :
    dist l Q -> abs_cont l W Q -> nll Q = nll W + KL l W Q.
  Proof.
    intros [HQ _] Hac. unfold nll, expect, KL. rewrite <- sum_plus. apply sum_ext; intros t Ht.
    destruct HW as [H0 _]. specialize (H0 t Ht). specialize (HQ t Ht). specialize (Hac t Ht).
    unfold kl_term. destruct (Req_dec (W t) 0) as [->|N]; [ring|].
    assert (0 < Q t) by (destruct (Req_dec (Q t) 0); [tauto|lra]).
    unfold Rdiv. rewrite ln_mult, ln_Rinv; try lra. now apply Rinv_0_lt_compat.
  Qed.

  (** Its only minimiser is the law of the survivors. *)
  Theorem S14_nll_minimizer Q :
    dist l Q -> abs_cont l W Q ->
    ((forall Q', dist l Q' -> abs_cont l W Q' -> nll Q <= nll Q') <-> forall t, In t l -> W t = Q t).
  Proof.
    intros HQ Hac. rewrite <- (KL_eq0_iff l W Q HW HQ Hac). split.
    - intros H. specialize (H W HW ltac:(intros t _ E; exact E)).
      rewrite S14_nll_decomposition in H by assumption.
      pose proof (KL_nonneg l W Q HW HQ Hac). lra.
    - intros E Q' HQ' Hac'. rewrite (S14_nll_decomposition Q), (S14_nll_decomposition Q') by assumption.
      pose proof (KL_nonneg l W Q' HW HQ' Hac'). lra.
  Qed.
End NLL.

(** The sequence loss is computed token by token. *)
Section NLLPath.
  Context {T : Type}.
  Fixpoint path_nll (Q : list T -> T -> R) (pre ts : list T) : R :=
    match ts with
    | [] => 0
    | t :: ts' => - ln (Q pre t) + path_nll Q (pre ++ [t]) ts'
    end.

  Theorem S14_nll_by_token (Q : list T -> T -> R) :
    (forall pre t, 0 < Q pre t) -> forall ts pre, - ln (joint Q pre ts) = path_nll Q pre ts.
  Proof.
    intros HQ. assert (Hj : forall ts pre, 0 < joint Q pre ts).
    { induction ts as [|t ts IH]; intros pre; simpl; [lra|now apply Rmult_lt_0_compat]. }
    induction ts as [|t ts IH]; intros pre; simpl.
    - rewrite ln_1. lra.
    - rewrite ln_mult by auto. rewrite <- IH. ring.
  Qed.
End NLLPath.
