(** * S9: what Proposition 1 does and does not say about the proxy reference.

    mu0 = student reference pi(.|x),  mug = privileged proxy pi(.|x,g). *)
From Coq Require Import Reals List Lra.
From HDPO Require Import FinSum Gibbs Softmax.
Import ListNotations.
Open Scope R_scope.

(** KL between two Bernoulli laws *)
Definition kl2 (a b : R) : R := kl_term a b + kl_term (1 - a) (1 - b).

Section LogSum.
  Context {T : Type}.
  Variable l : list T.

  (** Log-sum inequality. *)
  Lemma log_sum (a b : T -> R) :
    (forall t, In t l -> 0 <= a t) -> (forall t, In t l -> 0 <= b t) ->
    (forall t, In t l -> b t = 0 -> a t = 0) ->
    kl_term (sum l a) (sum l b) <= sum l (fun t => kl_term (a t) (b t)).
  Proof.
    intros Ha Hb Hab.
    pose proof (sum_nonneg l a Ha) as HA. pose proof (sum_nonneg l b Hb) as HB.
    destruct (Req_dec (sum l a) 0) as [EA|NA].
    - rewrite EA, kl_term_0. right. symmetry. apply sum_zero; intros t Ht.
      rewrite (sum_nonneg_zero l a Ha EA t Ht). apply kl_term_0.
    - assert (PA : 0 < sum l a) by lra.
      assert (PB : 0 < sum l b).
      { destruct (Req_dec (sum l b) 0) as [EB|NB]; [|lra]. exfalso. apply NA.
        apply sum_zero; intros t Ht. apply Hab; auto. now apply (sum_nonneg_zero l b). }
      set (A := sum l a) in *. set (B := sum l b) in *.
      assert (Hk : forall t, In t l ->
                a t * ln (A / B) + (a t - b t * (A / B)) <= kl_term (a t) (b t)).
      { intros t Ht. specialize (Ha t Ht). specialize (Hb t Ht). specialize (Hab t Ht).
        destruct (Req_dec (a t) 0) as [E|N].
        - rewrite E, kl_term_0.
          assert (0 <= b t * (A / B)) by (apply Rmult_le_pos; [assumption|left; now apply Rdiv_lt_0_compat]).
          lra.
        - assert (Pb : 0 < b t) by (destruct (Req_dec (b t) 0); [tauto|lra]).
          assert (PAB : 0 < A / B) by now apply Rdiv_lt_0_compat.
          pose proof (kl_term_ge (a t) (b t * (A / B))) as H.
          assert (Hb' : 0 < b t * (A / B)) by now apply Rmult_lt_0_compat.
          specialize (H Ha ltac:(lra) ltac:(lra)). unfold kl_term in *.
          replace (a t / (b t * (A / B))) with ((a t / b t) * / (A / B)) in H by (field; lra).
          rewrite ln_mult, ln_Rinv in H; try lra.
          + apply Rdiv_lt_0_compat; lra.
          + now apply Rinv_0_lt_compat. }
      apply Rle_trans with (sum l (fun t => a t * ln (A / B) + (a t - b t * (A / B)))).
      + rewrite sum_plus, sum_minus, !sum_scal_r. fold A B. unfold kl_term. right. field. lra.
      + apply sum_le; auto.
  Qed.

  (** S9 (data processing): an event of probability a under P and b under Q
      forces KL(P||Q) >= kl2(a, b). *)
  Theorem S9_data_processing (P Q : T -> R) (A : T -> bool) :
    dist l P -> dist l Q -> abs_cont l P Q ->
    kl2 (expect l P (reward A)) (expect l Q (reward A)) <= KL l P Q.
  Proof.
    intros [HP SP] [HQ SQ] Hac. unfold kl2.
    assert (EP : 1 - expect l P (reward A) = sum l (fun t => P t * (1 - reward A t))).
    { unfold expect. rewrite (sum_ext l (fun t => P t * (1 - reward A t)) (fun t => P t - P t * reward A t))
        by (intros; ring). now rewrite sum_minus, SP. }
    assert (EQ : 1 - expect l Q (reward A) = sum l (fun t => Q t * (1 - reward A t))).
    { unfold expect. rewrite (sum_ext l (fun t => Q t * (1 - reward A t)) (fun t => Q t - Q t * reward A t))
        by (intros; ring). now rewrite sum_minus, SQ. }
    rewrite EP, EQ. unfold expect, KL.
    rewrite (sum_ext l (fun t => kl_term (P t) (Q t))
      (fun t => kl_term (P t * reward A t) (Q t * reward A t) + kl_term (P t * (1 - reward A t)) (Q t * (1 - reward A t)))).
    - rewrite sum_plus. apply Rplus_le_compat; apply log_sum; intros t Ht;
      specialize (HP t Ht); specialize (HQ t Ht); specialize (Hac t Ht);
      unfold reward; destruct (A t); try lra; intros E; rewrite Hac; lra.
    - intros t _. unfold reward. destruct (A t).
      + replace (P t * (1 - 1)) with 0 by ring. rewrite kl_term_0, !Rmult_1_r. ring.
      + replace (P t * 0) with 0 by ring. replace (1 - 0) with 1 by ring.
        rewrite kl_term_0, !Rmult_1_r. ring.
  Qed.
End LogSum.

(** S9 (one step): if privileged information lifts the success probability
    from p0 to pg, the logits MUST move: kl2(pg,p0) <= D^2/2. *)
Theorem S9_realizability_lower_bound {T} (l : list T) (zT zS : T -> R) (D : R) (A : T -> bool) :
  l <> [] ->
  (forall t, In t l -> Rabs (zT t - zS t) <= D) ->
  kl2 (expect l (softmax l zT) (reward A)) (expect l (softmax l zS) (reward A)) <= D ^ 2 / 2.
Proof.
  intros Hl HD. eapply Rle_trans; [|apply (S4_two l Hl zT zS D HD)].
  apply S9_data_processing; try apply softmax_dist; auto.
  intros t _ E. pose proof (softmax_pos l Hl zS t). lra.
Qed.

Section Proxy.
  Context {T : Type}.
  Variable l : list T.
  Variables mug mu0 : T -> R.
  Hypothesis Hg : dist l mug.
  Hypothesis H0 : dist l mu0.
  Variable R1 : T -> bool.
  Let pg := success l mug R1.
  Let p0 := success l mu0 R1.
  Let cg := filtered l mug R1.
  Let c0 := filtered l mu0 R1.
  Hypothesis Pg : 0 < pg.
  Hypothesis P0 : 0 < p0.
  (** both references charge every correct trajectory *)
  Hypothesis Sg : forall t, In t l -> R1 t = true -> 0 < mug t.
  Hypothesis S0 : forall t, In t l -> R1 t = true -> 0 < mu0 t.

  Definition log_ratio (t : T) : R := if R1 t then ln (mu0 t / mug t) else 0.

  (** Exact gap between the proxy target and the ideal target. *)
  Theorem S9_target_gap :
    KL l cg c0 = ln (p0 / pg) - expect l cg log_ratio.
  Proof.
    destruct (filtered_dist l mug Hg R1 Pg) as [_ S1]. fold cg in S1.
    rewrite <- (Rmult_1_l (ln (p0 / pg))), <- S1, <- sum_scal_r. unfold expect, KL.
    rewrite <- sum_minus. apply sum_ext; intros t Ht.
    unfold cg, c0, filtered, kl_term, log_ratio, reward. fold pg p0.
    destruct (R1 t) eqn:E.
    - specialize (Sg t Ht E). specialize (S0 t Ht E).
      replace (mug t * 1 / pg / (mu0 t * 1 / p0)) with ((p0 / pg) * / (mu0 t / mug t)) by (field; lra).
      rewrite ln_mult, ln_Rinv; try (now apply Rdiv_lt_0_compat).
      + ring.
      + apply Rinv_0_lt_compat. now apply Rdiv_lt_0_compat.
    - unfold Rdiv. ring.
  Qed.

  Lemma expect_exp_log_ratio : expect l cg (fun t => exp (log_ratio t)) = p0 / pg.
  Proof.
    unfold expect, cg, filtered. fold pg.
    rewrite (sum_ext l _ (fun t => mu0 t * reward R1 t * / pg)).
    - rewrite sum_scal_r. reflexivity.
    - intros t Ht. unfold log_ratio, reward. destruct (R1 t) eqn:E.
      + specialize (Sg t Ht E). specialize (S0 t Ht E).
        rewrite exp_ln by now apply Rdiv_lt_0_compat. field. lra.
      + unfold Rdiv. ring.
  Qed.

  (** S9 (repaired link between Prop. 1 and Prop. 2): a bound [a,b] on the
      TRAJECTORY log-ratio gives KL(target proxy || ideal target) <= (b-a)^2/8. *)
  Theorem S9_target_gap_bound a b :
    a <= 0 <= b ->
    (forall t, In t l -> R1 t = true -> a <= ln (mu0 t / mug t) <= b) ->
    KL l cg c0 <= (b - a) ^ 2 / 8.
  Proof.
    intros Hab Hb. rewrite S9_target_gap, <- expect_exp_log_ratio.
    assert (Hl : l <> []) by (apply (dist_nonempty l mug Hg)).
    assert (H : ln (expect l cg (fun t => exp (log_ratio t))) <= expect l cg log_ratio + (b - a) ^ 2 / 8).
    { apply S4_hoeffding; [assumption|apply (filtered_dist l mug Hg R1 Pg)|].
      intros t Ht. unfold log_ratio. destruct (R1 t) eqn:E; [now apply Hb|lra]. }
    lra.
  Qed.
End Proxy.

(** S9 (bounds are not gaps): logits satisfying every hypothesis of
    Proposition 1 for which the cross-model BOUND is strictly larger but the
    cross-model GAP is strictly smaller.  Proposition 1 orders upper bounds. *)
Theorem S9_bound_order_is_not_gap_order :
  exists (f_th_cT f_th_cS f_ph_cT : bool -> R) (Ld m : R),
    let l := [true; false] in
    (forall t, In t l -> Rabs (f_th_cT t - f_th_cS t) <= Ld) /\
    (forall t, In t l -> Rabs (f_ph_cT t - f_th_cT t) <= m) /\
    Ld ^ 2 / 2 < (Ld + m) ^ 2 / 2 /\
    KL l (softmax l f_ph_cT) (softmax l f_th_cS) < KL l (softmax l f_th_cT) (softmax l f_th_cS).
Proof.
  exists (fun b : bool => if b then 1 else 0), (fun _ : bool => 0), (fun _ : bool => 0), 1, 1.
  intros l.
  assert (Hl : l <> []) by discriminate.
  assert (Hac : forall p z, abs_cont l p (softmax l z)).
  { intros p z t _ E. pose proof (softmax_pos l Hl z t). lra. }
  split; [|split; [|split]].
  - intros [|] _; rewrite Rminus_0_r; [rewrite Rabs_R1|rewrite Rabs_R0]; lra.
  - intros [|] _; [rewrite Rabs_left|rewrite Rminus_0_r, Rabs_R0]; lra.
  - lra.
  - replace (KL l (softmax l (fun _ => 0)) (softmax l (fun _ => 0))) with 0.
    2:{ symmetry. apply KL_eq0_iff; auto using softmax_dist. }
    set (zT := fun b : bool => if b then 1 else 0).
    pose proof (KL_nonneg _ _ _ (softmax_dist l Hl zT) (softmax_dist l Hl (fun _ => 0)) (Hac _ _)) as H.
    destruct H as [H|H]; [exact H|exfalso]. symmetry in H.
    pose proof (proj1 (KL_eq0_iff _ _ _ (softmax_dist l Hl _)
       (softmax_dist l Hl _) (Hac _ _)) H true (or_introl eq_refl)) as E.
    unfold softmax, sumexp in E. simpl in E. rewrite exp_0 in E.
    pose proof (exp_ineq1 1 ltac:(lra)) as H1.
    apply (Rmult_eq_compat_r ((exp 1 + (1 + 0)) * (1 + (1 + 0)))) in E.
    field_simplify in E; lra.
Qed.
