(** * S8: derivatives along a logit direction. *)
From Coq Require Import Reals List Lra.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Softmax JSD.
Import ListNotations.
Open Scope R_scope.

Lemma is_derive_mult_const (g : R -> R) (c s dg : R) :
  is_derive g s dg -> is_derive (fun s => g s * c) s (dg * c).
Proof.
  intros H. apply is_derive_ext with (fun s => c * g s); [intros; apply Rmult_comm|].
  rewrite (Rmult_comm dg). now apply is_derive_scal.
Qed.

Section Gradient.
  Context {T : Type}.
  Variable l : list T.
  Hypothesis Hl : l <> [].

  Lemma is_derive_sum (F : T -> R -> R) (dF : T -> R) s :
    (forall t, In t l -> is_derive (F t) s (dF t)) ->
    is_derive (fun s => sum l (fun t => F t s)) s (sum l dF).
  Proof.
    clear Hl. induction l as [|a l' IH]; intros H; simpl.
    - apply @is_derive_const.
    - apply (is_derive_plus (F a) (fun s => sum l' (fun t => F t s)) s (dF a) (sum l' dF)).
      + apply H. now left.
      + apply IH. intros t Ht. apply H. now right.
  Qed.

  Variables (z v : T -> R).
  Definition zs (s : R) : T -> R := fun t => z t + s * v t.
  Definition policy_along (s : R) : T -> R := softmax l (zs s).

  Lemma sumexp_derive s :
    is_derive (fun s => sumexp l (zs s)) s (sum l (fun t => exp (zs s t) * v t)).
  Proof.
    unfold sumexp. apply (is_derive_sum (fun t s => exp (zs s t))). intros t _.
    unfold zs. auto_derive; [exact I|]. ring.
  Qed.

  Lemma expect_v s : sum l (fun t => exp (zs s t) * v t) = sumexp l (zs s) * expect l (policy_along s) v.
  Proof.
    pose proof (sumexp_pos l Hl (zs s)). unfold expect, policy_along, softmax. rewrite <- sum_scal.
    apply sum_ext; intros t _. field. lra.
  Qed.

  Lemma policy_along_derive s t : is_derive (fun s => policy_along s t) s (policy_along s t * (v t - expect l (policy_along s) v)).
  Proof.
    pose proof (sumexp_pos l Hl (zs s)) as HS. pose proof (sumexp_derive s) as HD.
    rewrite expect_v in HD. set (Ev := expect l (policy_along s) v) in *.
    assert (He : is_derive (fun s => exp (zs s t)) s (exp (zs s t) * v t)).
    { unfold zs. auto_derive; [exact I|]. ring. }
    pose proof (is_derive_div _ _ s _ _ He HD ltac:(lra)) as H.
    eapply is_derive_ext; [|evar_last; [exact H|]].
    - intros; reflexivity.
    - unfold policy_along, softmax. field. lra.
  Qed.

  (** d/ds E_{p_s}[f] = sum_t p_t v_t (f_t - E f): the policy gradient. *)
  Theorem S8_policy_gradient (f : T -> R) s :
    is_derive (fun s => expect l (policy_along s) f) s
      (sum l (fun t => policy_along s t * v t * (f t - expect l (policy_along s) f))).
  Proof.
    evar_last.
    - unfold expect. apply (is_derive_sum (fun t s => policy_along s t * f t)
        (fun t => policy_along s t * (v t - expect l (policy_along s) v) * f t)).
      intros t _. apply (is_derive_mult_const (fun s => policy_along s t)). apply policy_along_derive.
    - rewrite (sum_ext l _ (fun t => policy_along s t * v t * f t - expect l (policy_along s) v * (policy_along s t * f t)))
        by (intros; ring).
      rewrite (sum_ext l (fun t => policy_along s t * v t * (f t - expect l (policy_along s) f))
                 (fun t => policy_along s t * v t * f t - expect l (policy_along s) f * (policy_along s t * v t)))
        by (intros; ring).
      rewrite !sum_minus, !sum_scal. unfold expect. ring.
  Qed.

  (** reverse KL *)
  Variable q : T -> R.
  Hypothesis Hq : forall t, In t l -> 0 < q t.

  Definition logratio s t : R := ln (policy_along s t / q t).

  Lemma ln_policy_along s t : ln (policy_along s t) = zs s t - ln (sumexp l (zs s)).
  Proof.
    unfold policy_along, softmax. rewrite ln_div by (try apply exp_pos; apply (sumexp_pos l Hl)).
    now rewrite ln_exp.
  Qed.

  Lemma logratio_derive s t : In t l -> is_derive (fun s => logratio s t) s (v t - expect l (policy_along s) v).
  Proof.
    intros Ht. pose proof (sumexp_pos l Hl (zs s)) as HS.
    apply is_derive_ext with (fun s => z t + s * v t - ln (sumexp l (zs s)) - ln (q t)).
    { intros r. unfold logratio. rewrite ln_div; [|apply (softmax_pos l Hl)|auto].
      rewrite ln_policy_along. unfold zs at 2. reflexivity. }
    evar_last.
    - apply @is_derive_minus; [|apply @is_derive_const].
      apply @is_derive_minus.
      + instantiate (1 := v t). auto_derive; [exact I|]. ring.
      + apply is_derive_comp with (g := fun s => sumexp l (zs s)) (f := ln).
        * apply is_derive_Reals, derivable_pt_lim_ln. exact HS.
        * apply sumexp_derive.
    - rewrite expect_v. unfold minus, plus, opp, zero, scal; simpl. unfold mult; simpl.
      field. lra.
  Qed.

  (** S8 (reverse KL, any direction v). *)
  Theorem S8_reverse_KL_direction s :
    is_derive (fun s => KL l (policy_along s) q) s
      (sum l (fun t => policy_along s t * v t * (ln (policy_along s t / q t) - KL l (policy_along s) q))).
  Proof.
    evar_last.
    - unfold KL, kl_term. apply (is_derive_sum (fun t s => policy_along s t * logratio s t)
        (fun t => policy_along s t * (v t - expect l (policy_along s) v) * logratio s t
                  + policy_along s t * (v t - expect l (policy_along s) v))).
      intros t Ht.
      apply (is_derive_mult (fun s => policy_along s t) (fun s => logratio s t)).
      + apply policy_along_derive.
      + now apply logratio_derive.
      + intros; apply Rmult_comm.
    - rewrite (sum_ext l _ (fun t => (policy_along s t * v t * logratio s t
           - expect l (policy_along s) v * (policy_along s t * logratio s t))
           + (policy_along s t * v t - expect l (policy_along s) v * policy_along s t))) by (intros; ring).
      rewrite (sum_ext l (fun t => policy_along s t * v t * (ln (policy_along s t / q t) - KL l (policy_along s) q))
           (fun t => policy_along s t * v t * logratio s t - KL l (policy_along s) q * (policy_along s t * v t)))
        by (intros; unfold logratio; ring).
      rewrite sum_plus, !sum_minus, !sum_scal.
      destruct (softmax_dist l Hl (zs s)) as [_ S1]. fold (policy_along s) in S1. rewrite S1.
      unfold expect. change (sum l (fun t => policy_along s t * logratio s t)) with (KL l (policy_along s) q). ring.
  Qed.

  (** forward KL (q to policy): E_p v - E_q v. *)
  Theorem S8_forward_KL_direction s :
    sum l q = 1 ->
    is_derive (fun s => KL l q (policy_along s)) s (expect l (policy_along s) v - expect l q v).
  Proof.
    intros Sq.
    apply is_derive_ext with (fun s => sum l (fun t => q t * (- logratio s t))).
    { intros r. apply sum_ext; intros t Ht. unfold kl_term, logratio.
      pose proof (softmax_pos l Hl (zs r) t) as Hp. fold (policy_along r) in Hp.
      specialize (Hq t Ht).
      replace (q t / policy_along r t) with (/ (policy_along r t / q t)) by (field; lra).
      rewrite ln_Rinv by (apply Rdiv_lt_0_compat; assumption). reflexivity. }
    evar_last.
    - apply (is_derive_sum (fun t s => q t * (- logratio s t))
               (fun t => q t * (- (v t - expect l (policy_along s) v)))).
      intros t Ht. apply is_derive_scal. apply @is_derive_opp. now apply logratio_derive.
    - rewrite (sum_ext l _ (fun t => expect l (policy_along s) v * q t - q t * v t)) by (intros; ring).
      rewrite sum_minus, sum_scal, Sq. unfold expect. ring.
  Qed.
End Gradient.

(** ** Coordinates: v = e_j *)
Section Coord.
  Context {T : Type}.
  Hypothesis eqd : forall a b : T, {a = b} + {a <> b}.
  Variable l : list T.
  Hypothesis Hnd : NoDup l.
  Variable j : T.
  Hypothesis Hj : In j l.
  Definition ej (t : T) : R := if eqd t j then 1 else 0.

  Lemma sum_ej (g : T -> R) : sum l (fun t => g t * ej t) = g j.
  Proof.
    induction l as [|a l' IH]; [destruct Hj|]. simpl. inversion Hnd as [|? ? Hn Hnd']; subst.
    unfold ej at 1. destruct (eqd a j) as [->|N].
    - rewrite (sum_zero l'); [ring|]. intros t Ht. unfold ej. destruct (eqd t j) as [->|]; [tauto|ring].
    - destruct Hj as [E|Hj']; [tauto|]. rewrite IH; auto. ring.
  Qed.

  Lemma l_ne : l <> []. Proof. intros E. rewrite E in Hj. destruct Hj. Qed.

  (** S8 as stated: d/dz_j KL(softmax z || q) = p_j (log p_j - log q_j - KL). *)
  Theorem S8_reverse_KL (z q : T -> R) :
    (forall t, In t l -> 0 < q t) ->
    is_derive (fun s => KL l (softmax l (fun t => z t + s * ej t)) q) 0
      (softmax l z j * (ln (softmax l z j) - ln (q j) - KL l (softmax l z) q)).
  Proof.
    intros Hq. pose proof (S8_reverse_KL_direction l l_ne z ej q Hq 0) as H.
    assert (E : forall t, policy_along l z ej 0 t = softmax l z t).
    { intros t. unfold policy_along. apply softmax_ext. intros; unfold zs; ring. }
    assert (EK : KL l (policy_along l z ej 0) q = KL l (softmax l z) q).
    { apply sum_ext; intros t _. now rewrite E. }
    evar_last; [exact H|]. rewrite EK.
    rewrite (sum_ext l _ (fun t => softmax l z t * (ln (softmax l z t / q t) - KL l (softmax l z) q) * ej t))
      by (intros; rewrite E; ring).
    rewrite sum_ej, ln_div; [ring|apply softmax_pos, l_ne|now apply Hq].
  Qed.

  Theorem S8_forward_KL (z q : T -> R) :
    (forall t, In t l -> 0 < q t) -> sum l q = 1 ->
    is_derive (fun s => KL l q (softmax l (fun t => z t + s * ej t))) 0 (softmax l z j - q j).
  Proof.
    intros Hq Sq. pose proof (S8_forward_KL_direction l l_ne z ej q Hq 0 Sq) as H.
    evar_last; [exact H|]. unfold expect. rewrite !sum_ej. f_equal.
    unfold policy_along. apply softmax_ext. intros; unfold zs; ring.
  Qed.

  Theorem S8_policy_gradient_coord (z f : T -> R) :
    is_derive (fun s => expect l (softmax l (fun t => z t + s * ej t)) f) 0
      (softmax l z j * (f j - expect l (softmax l z) f)).
  Proof.
    pose proof (S8_policy_gradient l l_ne z ej f 0) as H.
    assert (E : forall t, policy_along l z ej 0 t = softmax l z t).
    { intros t. unfold policy_along. apply softmax_ext. intros; unfold zs; ring. }
    assert (EE : expect l (policy_along l z ej 0) f = expect l (softmax l z) f).
    { apply sum_ext; intros t _. now rewrite E. }
    evar_last; [exact H|]. rewrite EE.
    rewrite (sum_ext l _ (fun t => softmax l z t * (f t - expect l (softmax l z) f) * ej t))
      by (intros; rewrite E; ring).
    now rewrite sum_ej.
  Qed.
End Coord.

(** ** The population gradient on a near-cliff prompt is O(p (1 - p)). *)
Section Vanish.
  Context {T : Type}.
  Variable l : list T.
  Variable p : T -> R.
  Hypothesis Hp : dist l p.
  Variable R1 : T -> bool.
  Let r (t : T) : R := if R1 t then 1 else 0.

  Theorem S8_gradient_vanishes (v : T -> R) (a b : R) :
    (forall t, In t l -> a <= v t <= b) ->
    Rabs (sum l (fun t => p t * v t * (r t - expect l p r)))
      <= (b - a) * (expect l p r * (1 - expect l p r)).
  Proof.
    intros Hv. destruct Hp as [H0 H1]. set (P := expect l p r).
    assert (HP : 0 <= P <= 1).
    { unfold P, expect. split.
      - apply sum_nonneg; intros t Ht; specialize (H0 t Ht); unfold r; destruct (R1 t); lra.
      - rewrite <- H1. apply sum_le; intros t Ht; specialize (H0 t Ht); unfold r; destruct (R1 t); lra. }
    set (S1 := sum l (fun t => p t * r t * v t)).
    set (S0 := sum l (fun t => p t * (1 - r t) * v t)).
    assert (E : sum l (fun t => p t * v t * (r t - P)) = (1 - P) * S1 - P * S0).
    { unfold S1, S0. rewrite <- !sum_scal, <- sum_minus. apply sum_ext; intros; ring. }
    assert (F1 : sum l (fun t => p t * r t) = P) by reflexivity.
    assert (F0 : sum l (fun t => p t * (1 - r t)) = 1 - P).
    { rewrite (sum_ext l _ (fun t => p t - p t * r t)) by (intros; ring). now rewrite sum_minus, H1, F1. }
    assert (B1 : a * P <= S1 <= b * P).
    { unfold S1. rewrite <- F1, <- !sum_scal. split; apply sum_le; intros t Ht;
      specialize (H0 t Ht); specialize (Hv t Ht); unfold r; destruct (R1 t); nra. }
    assert (B0 : a * (1 - P) <= S0 <= b * (1 - P)).
    { unfold S0. rewrite <- F0, <- !sum_scal. split; apply sum_le; intros t Ht;
      specialize (H0 t Ht); specialize (Hv t Ht); unfold r; destruct (R1 t); nra. }
    rewrite E. apply Rabs_le. split; nra.
  Qed.
End Vanish.

(** ** Gradient of the distillation loss JSD(P || softmax z). *)
Section JSDGrad.
  Context {T : Type}.
  Variable l : list T.
  Hypothesis Hl : l <> [].
  Variable P : T -> R.
  Hypothesis HP : forall t, In t l -> 0 <= P t.

  Lemma jsd_term_derive a b : 0 <= a -> 0 < b ->
    is_derive (jsd_term a) b (/ 2 * ln (b / ((a + b) / 2))).
  Proof.
    intros Ha Hb. unfold jsd_term, kl_term.
    destruct (Req_dec a 0) as [->|Na].
    - apply is_derive_ext_loc with (fun b => / 2 * (b * ln 2)).
      + exists (mkposreal b Hb). intros y Hy. change (Rabs (y - b) < b) in Hy.
        apply Rabs_lt_between in Hy.
        match goal with |- @eq _ ?x ?y => change (@eq R x y) end.
        replace (y / ((0 + y) / 2)) with 2 by (field; lra). ring.
      + replace (b / ((0 + b) / 2)) with 2 by (field; lra).
        auto_derive; [exact I|]. ring.
    - assert (0 < a) by lra.
      assert (0 < a / ((a + b) / 2)) by (apply Rdiv_lt_0_compat; lra).
      assert (0 < b / ((a + b) / 2)) by (apply Rdiv_lt_0_compat; lra).
      auto_derive.
      + unfold Rdiv in *. repeat split; try assumption; try lra.
      + change ((a + b) * / 2) with ((a + b) / 2).
        change (b * / ((a + b) / 2)) with (b / ((a + b) / 2)).
        set (L := ln (b / ((a + b) / 2))). field. lra.
  Qed.

  Variables (z v : T -> R).
  Let Q (s : R) := policy_along l z v s.

  Theorem S8_JSD_direction s :
    is_derive (fun s => JSD l P (Q s)) s
      (/ 2 * sum l (fun t => Q s t * v t * (ln (Q s t / mid P (Q s) t) - KL l (Q s) (mid P (Q s))))).
  Proof.
    evar_last.
    - unfold JSD. apply (is_derive_sum l (fun t s => jsd_term (P t) (Q s t))
        (fun t => (Q s t * (v t - expect l (Q s) v)) * (/ 2 * ln (Q s t / mid P (Q s) t)))).
      intros t Ht. apply (is_derive_comp (jsd_term (P t)) (fun s => Q s t)).
      + apply jsd_term_derive; [auto|]. apply (softmax_pos l Hl).
      + apply (policy_along_derive l Hl).
    - rewrite <- sum_scal.
      rewrite (sum_ext l _ (fun t => / 2 * (Q s t * v t * ln (Q s t / mid P (Q s) t))
         - (/ 2 * expect l (Q s) v) * (Q s t * ln (Q s t / mid P (Q s) t)))) by (intros; ring).
      rewrite (sum_ext l (fun t => / 2 * (Q s t * v t * (ln (Q s t / mid P (Q s) t) - KL l (Q s) (mid P (Q s)))))
         (fun t => / 2 * (Q s t * v t * ln (Q s t / mid P (Q s) t))
         - (/ 2 * KL l (Q s) (mid P (Q s))) * (Q s t * v t))) by (intros; ring).
      rewrite !sum_minus, !sum_scal. unfold expect, KL, kl_term. ring.
  Qed.
End JSDGrad.

Section JSDCoord.
  Context {T : Type}.
  Hypothesis eqd : forall a b : T, {a = b} + {a <> b}.
  Variable l : list T.
  Hypothesis Hnd : NoDup l.
  Variable j : T.
  Hypothesis Hj : In j l.
  Variable P : T -> R.
  Hypothesis HP : dist l P.

  Definition jsd_grad (Q : T -> R) : R :=
    / 2 * (Q j * (ln (Q j / mid P Q j) - KL l Q (mid P Q))).

  (** S8 (JSD): d/dz_j JSD(P || softmax z). *)
  Theorem S8_JSD (z : T -> R) :
    is_derive (fun s => JSD l P (softmax l (fun t => z t + s * ej eqd j t))) 0
      (jsd_grad (softmax l z)).
  Proof.
    assert (Hl : l <> []) by (intros E; rewrite E in Hj; destruct Hj).
    pose proof (S8_JSD_direction l Hl P (proj1 HP) z (ej eqd j) 0) as H.
    assert (E : forall t, policy_along l z (ej eqd j) 0 t = softmax l z t).
    { intros t. unfold policy_along. apply softmax_ext. intros; unfold zs; ring. }
    assert (EK : KL l (policy_along l z (ej eqd j) 0) (mid P (policy_along l z (ej eqd j) 0))
               = KL l (softmax l z) (mid P (softmax l z))).
    { apply sum_ext; intros t _. unfold mid. now rewrite E. }
    evar_last; [exact H|]. cbv beta zeta. rewrite EK. unfold jsd_grad. f_equal.
    rewrite (sum_ext l _ (fun t => softmax l z t * (ln (softmax l z t / mid P (softmax l z) t)
        - KL l (softmax l z) (mid P (softmax l z))) * ej eqd j t)).
    - rewrite (sum_ej eqd l Hnd j Hj). reflexivity.
    - intros t _. unfold mid. rewrite E. ring.
  Qed.

  (** JSD saturates: where the student puts little mass the logit gradient is
      small, whatever the teacher wants:  |grad_j| <= Q_j (ln 2 + ln (1/Q_j)) / 2. *)
  Theorem S8_JSD_saturates (z : T -> R) :
    let q := softmax l z j in
    Rabs (jsd_grad (softmax l z)) <= / 2 * (q * (ln 2 + ln (/ q))).
  Proof.
    intros q.
    assert (Hl : l <> []) by (intros E; rewrite E in Hj; destruct Hj).
    pose proof (softmax_dist l Hl z) as HQ.
    pose proof (softmax_pos l Hl z j) as Hq. fold q in Hq.
    set (Q := softmax l z) in *.
    assert (Hq1 : q <= 1).
    { destruct HQ as [A B]. rewrite <- B. unfold q. fold Q. now apply (sum_ge_term l Q). }
    assert (HPj : 0 <= P j <= 1).
    { destruct HP as [A B]. split; [now apply A|]. rewrite <- B. now apply (sum_ge_term l P). }
    assert (HK : 0 <= KL l Q (mid P Q)).
    { apply KL_nonneg; auto using mid_dist, mid_ac_r. }
    assert (HK2 : KL l Q (mid P Q) <= ln 2).
    { destruct HQ as [A B]. destruct HP as [A' B']. unfold KL.
      apply Rle_trans with (sum l (fun t => Q t * ln 2)).
      - apply sum_le; intros t Ht. unfold mid. rewrite (Rplus_comm (P t)).
        apply kl_term_mid_le; auto.
      - rewrite sum_scal_r, B. lra. }
    assert (Hm : 0 < mid P Q j <= 1) by (change (0 < (P j + q) / 2 <= 1); lra).
    assert (HL : ln (q / mid P Q j) <= ln 2).
    { apply ln_le_mono; [apply Rdiv_lt_0_compat; lra|].
      apply (Rmult_le_reg_r (mid P Q j)); [lra|].
      replace (q / mid P Q j * mid P Q j) with q by (field; lra).
      change (q <= 2 * ((P j + q) / 2)). lra. }
    assert (HL2 : - ln (/ q) <= ln (q / mid P Q j)).
    { rewrite <- ln_Rinv by now apply Rinv_0_lt_compat. rewrite Rinv_inv.
      apply ln_le_mono; [assumption|].
      apply (Rmult_le_reg_r (mid P Q j)); [lra|].
      replace (q / mid P Q j * mid P Q j) with q by (field; lra).
      rewrite <- (Rmult_1_r q) at 2. apply Rmult_le_compat_l; lra. }
    assert (Hi : 0 <= ln (/ q)).
    { rewrite <- ln_1. apply ln_le_mono; [lra|]. rewrite <- Rinv_1 at 1. apply Rinv_le_contravar; lra. }
    unfold jsd_grad. change (Q j) with q.
    rewrite Rabs_mult, (Rabs_right (/ 2)) by lra.
    apply Rmult_le_compat_l; [lra|].
    rewrite Rabs_mult, (Rabs_right q) by lra.
    apply Rmult_le_compat_l; [lra|].
    assert (0 < ln 2) by (rewrite <- ln_1; apply ln_increasing; lra).
    apply Rabs_le. lra.
  Qed.
End JSDCoord.

(** ** The distillation gradient does not vanish on a cliff: only agreement is stationary. *)
Theorem S8_JSD_stationary {T} (l : list T) (P Q : T -> R) :
  dist l P -> dist l Q -> (forall t, In t l -> 0 < Q t) ->
  (forall j, In j l -> jsd_grad l j P Q = 0) -> forall t, In t l -> P t = Q t.
Proof.
  intros HP HQ Hpos H. set (c := exp (KL l Q (mid P Q))).
  assert (Hm : forall t, In t l -> 0 < mid P Q t).
  { intros t Ht. destruct HP as [A _]. specialize (A t Ht). specialize (Hpos t Ht). unfold mid. lra. }
  assert (E : forall t, In t l -> Q t = c * mid P Q t).
  { intros t Ht. specialize (H t Ht). specialize (Hpos t Ht) as Pq. specialize (Hm t Ht) as Pm.
    unfold jsd_grad in H.
    assert (L : ln (Q t / mid P Q t) = KL l Q (mid P Q)).
    { apply (Rmult_eq_reg_l (/ 2 * Q t)); lra. }
    unfold c. rewrite <- L, exp_ln by now apply Rdiv_lt_0_compat. field. lra. }
  assert (C : c = 1).
  { destruct HQ as [_ SQ]. destruct (mid_dist l P Q HP (conj (fun t Ht => Rlt_le _ _ (Hpos t Ht)) SQ)) as [_ SM].
    rewrite (sum_ext l Q (fun t => c * mid P Q t) E), sum_scal, SM in SQ. lra. }
  intros t Ht. specialize (E t Ht). rewrite C in E. unfold mid in E. lra.
Qed.
